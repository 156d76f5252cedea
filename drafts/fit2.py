import sys,pickle,time; sys.path.insert(0,'draft')
from gen import *
from dev import real
from proxy import features,proxy
from more import NAMES
from gzutils.data.morphometry import MEASURES
from gzutils.data.simulation import volunteers as V
from gzutils.decision_tree import COLUMNS
from scipy.optimize import least_squares

N=int(sys.argv[1]); IT=int(sys.argv[2])
r=pickle.load(open('draft/gen.pkl','rb'))[:N]; A=[a for _,a,_ in r]
p,l,ids=real(); FR=features(p); F=features(np.stack([preprocess(j) for *_,j in r]))
C=[i for i,n in enumerate(NAMES) if n not in('scatter','offx','offy')]+[len(NAMES)+k for k in range(7)]
st=np.genfromtxt('../shared/kaggle_sample/label_statistics.csv',delimiter=',',skip_header=1,usecols=(1,2))
# ranks against the real distribution, so that the same pixels count the same
def rk(x): return np.stack([np.interp(x[:,i],np.sort(FR[:,i]),np.linspace(-1.73,1.73,len(FR))) for i in C],1)
def slopes(m,v):
    m=m-m.mean(0); return (v-v.mean(0)).T@m/len(m)/m.std(0)   # covariance with standardised measure
half=np.arange(0,120,2)
R1,R2=rk(FR[half]),rk(FR[1:120:2]); X=rk(F)
CR,CR2=slopes(R1,l[half]),slopes(R2,l[1::2])
import os
if os.path.exists('draft/weights.pkl'): V.WEIGHTS.update(pickle.load(open('draft/weights.pkl','rb')))
keys=list(V.WEIGHTS); x0=np.array([V.WEIGHTS[k] for k in keys]); sc=np.abs(x0)*.5+.03
ar=F[:,len(NAMES)+3]
def truths(): return np.stack([V.true_probabilities(a) for a in A])
def stats(t):
    m=t.mean(0); s=np.sqrt(t.var(0)+V.vote_variance(t).mean(0)); e=[]
    for lo,hi in ((0,.25),(.25,.35),(.35,.45),(.45,.6),(.6,1.01)):
        i=(ar>=lo)&(ar<hi); e.append(t[i,3].sum()/max(t[i,1].sum(),1e-9) if i.any() else 0)
    v=np.sqrt(t.var(0)+V.vote_variance(t).mean(0))[ok]; cc=(np.cov(t[:,ok],rowvar=False)/np.outer(v,v))[U]
    return m,s,slopes(X,t),np.array(e),cc
LH=l[half]; ok=LH.std(0)>0; RC=np.corrcoef(LH[:,ok],rowvar=False); RC2=np.corrcoef(l[1::2][:,ok],rowvar=False); U=np.triu_indices(ok.sum(),1)
E=np.array([.90,.83,.39,.17,.023]); EW=np.array([.06,.035,.025,.03,.01])
SE=st[:,1][:,None]/np.sqrt(60)   # of a covariance with a standardised measure
POS=('width',)
def put(z):
    for k,v,q in zip(keys,z,sc):
        v=float(v*q)
        if 'width' in k: v=max(v,.02)
        if k.startswith('chance') or k in('artifact','boxy','number two','number clear') or k.startswith('odd '): v=max(v,1e-3)
        v=max(v,{'features arms':12.,'features bar':6.,'features ring':4.,'features dust':3.,'features odd':.5,'odd merger':1.,'odd tails':6.}.get(k,-99)); v=min(v,{'number clear':25.,'bar bar':110.,'features lopsided':8.}.get(k,999))
        V.WEIGHTS[k]=v
z0=x0/sc
def res(z):
    put(z); m,s,c,e,cc=stats(truths())
    return np.concatenate([(m-st[:,0])/.004,(s-st[:,1])/.005,((c-CR)/SE/np.sqrt(len(C)/5)).ravel(),(e-E)/EW,(cc-RC[U])/.13/4,.3*(z-z0)])
t=time.time(); f=res(z0); print('eval',time.time()-t,'cost',(f**2).sum())
z=z0.copy(); lam=.3
for it in range(IT):
    J=np.stack([(res(z+.05*e)-f)/.05 for e in np.eye(len(z))],1); H=J.T@J
    for _ in range(5):
        step=np.clip(np.linalg.solve(H+lam*np.diag(np.diag(H))+.05*np.eye(len(z)),-J.T@f),-1.2,1.2); f2=res(z+step)
        if (f2**2).sum()<(f**2).sum():
            done=(f**2).sum()-(f2**2).sum()<1; z,f=z+step,f2; lam=max(lam/4,.01); break
        lam*=4
    else: done=True
    print(it,(f**2).sum().round(1),lam,flush=True)
    if done: break
put(z); T=truths(); m,s,c,e,cc=stats(T)
print('edge',e); print('column correlations off: tuned',np.abs(cc-RC[U]).mean(),'other',np.abs(cc-RC2[U]).mean(),'halves',np.abs(RC-RC2)[U].mean())
for i,n in enumerate(COLUMNS): print(f"{n:10s} {st[i,0]:.3f} {m[i]:.3f} {m[i]-st[i,0]:+.3f}   {st[i,1]:.3f} {s[i]:.3f} {s[i]-st[i,1]:+.3f}")
print('mean off max',abs(m-st[:,0]).max(),'std off',abs(s-st[:,1]).max(),'slopes rms/SE tuned',np.sqrt((((c-CR)/SE)**2).mean()),'other',np.sqrt((((c-CR2)/SE)**2).mean()),'halves',np.sqrt((((CR-CR2)/SE)**2).mean()))
for k in keys: print(f'    "{k}": {float(f"{V.WEIGHTS[k]:.3g}")},')
pickle.dump(dict(V.WEIGHTS),open('draft/weights.pkl','wb'))
q,cv=proxy(r,F,A,FR,l)
err=lambda h:np.sqrt(((q-l)[h]**2).mean()/((l[h]-l.mean(0))**2).mean())
print('proxy tuned half',err(half),'other',err(np.arange(1,120,2)))
