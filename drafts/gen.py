import sys,time,io,pickle,dataclasses; sys.path.insert(0,'draft')
import numpy as np
from PIL import Image
from gzutils.data.jpegs import preprocess
from gzutils.data.view import View
from gzutils.data.simulation import survey as S, drawing as D
from gzutils.data.simulation.galaxies import draw_properties
def one(i,seed=0):
    g=draw_properties(S._stream(seed,i,0)); im,a=D.draw_galaxy(g,S._stream(seed,i,1))
    b=io.BytesIO(); Image.fromarray(im).save(b,"JPEG",quality=75)
    return g,a,b.getvalue()
if __name__=='__main__':
    n=int(sys.argv[1]); t=time.process_time()
    r=[one(i) for i in range(n)]
    print('s/galaxy cpu',(time.process_time()-t)/n)
    pickle.dump(r,open('draft/gen.pkl','wb'))
