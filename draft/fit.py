import sys,pickle,time; sys.path.insert(0,'draft')
from dev import *
from gen import *
from gzutils.data.morphometry import *
from gzutils.data.simulation import volunteers as V
from gzutils.decision_tree import COLUMNS
from scipy.optimize import least_squares
N=int(sys.argv[1]); IT=int(sys.argv[2])
r=pickle.load(open('draft/gen.pkl','rb'))[:N]; M=np.load('draft/M.npy')[:N]; M=np.where(np.isnan(M),np.nanmedian(M,axis=0),M)
A=[a for _,a,_ in r]
p,l,ids=real(); R=measure(p[:120])
st=np.genfromtxt(S/'label_statistics.csv',delimiter=',',skip_header=1,usecols=(1,2))
rk=lambda x:(lambda q:(q-q.mean(0))/q.std(0))(x.argsort(0).argsort(0).astype(float))
def corr(m,v): return (v-v.mean(0)).T@rk(m)/len(m)/(v.std(0)+1e-3)[:,None]
half=np.arange(0,120,2)
CR=corr(R[half],l[half]); CR2=corr(R[1::2],l[1::2])
keys=list(V.WEIGHTS); x0=np.array([V.WEIGHTS[k] for k in keys]); sc=np.abs(x0)+.05
def truths():
    return np.stack([V.true_probabilities(a) for a in A])
def stats(t):
    m=t.mean(0); s=np.sqrt(t.var(0)+V.vote_variance(t).mean(0))
    noise=s/(t.std(0)+1e-4)
    ar=M[:,3]; e=[]
    for lo,hi in ((0,.25),(.25,.35),(.35,.45)):
        i=(ar>=lo)&(ar<hi); e.append(t[i,3].sum()/max(t[i,1].sum(),1e-9) if i.any() else 0)
    return m,s,corr(M,t)/noise[:,None],np.array(e)
E=np.array([.95,.71,.33])
cw=np.where(st[:,0]>0.03,1/0.2,1/0.4)[:,None]
def res(z):
    for k,v,q in zip(keys,z,sc): V.WEIGHTS[k]=float(v*q)
    if V.WEIGHTS['edge width']<.02: V.WEIGHTS['edge width']=.02
    for k in ('bulge width','round width','winding width','edge bulge width'): V.WEIGHTS[k]=max(V.WEIGHTS[k],.02)
    for k in keys:
        if k.startswith('chance') or k in('artifact','boxy','number two','number clear') or (k.startswith('odd ') ): V.WEIGHTS[k]=max(V.WEIGHTS[k],1e-3)
    m,s,c,e=stats(truths())
    return np.concatenate([(m-st[:,0])/.008,(s-st[:,1])/.018,((c-CR)*cw).ravel(),(e-E)/.07,0.4*(z-x0/sc)])
t=time.time(); truths(); print('eval',time.time()-t)
z=x0/sc
if IT:
    out=least_squares(res,z,max_nfev=IT,diff_step=1e-3,loss='soft_l1'); z=out.x; print('cost',out.cost)
res(z)
m,s,c,e=stats(truths())
print('edge',e)
for i,n in enumerate(COLUMNS): print(f"{n:10s} {st[i,0]:.3f} {m[i]:.3f} {m[i]-st[i,0]:+.3f}   {st[i,1]:.3f} {s[i]:.3f} {s[i]-st[i,1]:+.3f}",' '.join(f"{a:+.2f}/{b:+.2f}/{q:+.2f}" for a,b,q in zip(CR[i],CR2[i],c[i])))
print('mean off max',abs(m-st[:,0]).max(),'std off',abs(s-st[:,1]).max(),'corr rms tuned half',np.sqrt(((c-CR)**2).mean()),'other half',np.sqrt(((c-CR2)**2).mean()),'halves',np.sqrt(((CR-CR2)**2).mean()))
for k in keys: print(f'    "{k}": {V.WEIGHTS[k]:.4g},')
pickle.dump(dict(V.WEIGHTS),open('draft/weights.pkl','wb'))
