import os,sys,json
sys.path.insert(0,'draft')
from gzutils.tools import backend; backend.load()
import numpy as np
from dev import real
from gzutils.models import saved
p,l,ids=real(); m=saved.load('score/model/model.keras')
def P(x): return np.asarray(m.predict(x,verbose=0),float)
q=P(p[:120]); 
V=[np.rot90(p[:120],k,(1,2)) for k in range(4)]; V+= [v[:,:,::-1] for v in V]; q8=np.mean([P(np.ascontiguousarray(v)) for v in V],0)
np.save('draft/q.npy',q); np.save('draft/q8.npy',q8)
r=lambda q,h:np.sqrt(((q-l)[h]**2).mean()/((l[h]-l[h].mean(0))**2).mean())
e,o=np.arange(0,120,2),np.arange(1,120,2)
print('all',r(q,slice(None)),'tuned half',r(q,e),'other',r(q,o),'8 views',r(q8,slice(None)))
# best linear shrink towards the mean: how much is scale
mu=l.mean(0); 
for a in (.7,.8,.9,1): print(a,np.sqrt((((a*(q-q.mean(0))+q.mean(0)-l)**2).mean())/((l-mu)**2).mean()), 'unbiased',np.sqrt((((a*(q-q.mean(0))+mu-l)**2).mean())/((l-mu)**2).mean()))
from gzutils.decision_tree import QUESTIONS
for x in QUESTIONS:
    s=x.slice; f=lambda z:np.sqrt(((z-l)[:,s]**2).mean()/((l-mu)[:,s]**2).mean())
    cc=[np.corrcoef(q[:,i],l[:,i])[0,1].round(2) for i in range(s.start,s.stop)]
    print(x.number,x.short,f(q).round(3),'of err',((q-l)[:,s]**2).sum().round(1)/((q-l)**2).sum().round(1),'corr',cc,'too high',(q-l)[:,s].mean(0).round(3),'spread ratio',(q[:,s].std(0)/l[:,s].std(0)).round(2))
