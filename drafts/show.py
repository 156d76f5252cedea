import pickle,sys; sys.path.insert(0,'draft'); sys.path.insert(0,'./tests/benchmarks')
from dev import *
from gen import *
from gzutils.data.morphometry import *
from survey_statistics import print_measures
r=pickle.load(open('draft/gen.pkl','rb'))
P=np.stack([preprocess(j) for g,a,j in r]); M=measure(P); p,l,ids=real(); A=measure(p)
np.save('draft/M.npy',M)
print_measures(A,M)
names=[f.name for f in dataclasses.fields(r[0][1])]
T=np.array([[getattr(a,n) for n in names] for g,a,j in r],float)
k=np.array([g.kind for g,_,_ in r])
for i,n in enumerate(names): print(f"{n:14s} all",np.quantile(T[:,i],[.05,.25,.5,.75,.95]).round(3),'disk',np.quantile(T[k=='disk',i],[.05,.25,.5,.75,.95]).round(3))
print('corr axis ratio measured vs appearance',np.corrcoef(np.nan_to_num(M[:,3]),T[:,0])[0,1],'asym',np.corrcoef(np.nan_to_num(M[:,0]),T[:,3])[0,1])
imgs=[Image.fromarray(preprocess(j,View(210,110))) for _,_,j in r[:112]]
page=Image.new('RGB',(14*110,8*110))
for i,m in enumerate(imgs): page.paste(m,((i%14)*110,(i//14)*110))
page.save('draft/sheet.png')
