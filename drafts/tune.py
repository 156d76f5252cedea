import sys,pickle,math,dataclasses,time; sys.path.insert(0,'draft')
from gen import *
from dev import real
from more import extra,NAMES
from gzutils.data.morphometry import measure,MEASURES
from gzutils.data.simulation import light as L, drawing as D
from scipy.optimize import least_squares
NOISE0=D.NOISE.copy(); PED0=D.PEDESTAL.copy(); OLD0,YOUNG0,MID0=L.OLD.copy(),L.YOUNG.copy(),L.MIDDLE.copy()
P0=dict(noise=0.,ped=-.05,thick_sig=0.,mis=0.,sb_s=0.,sb_d=0.,sb_sig=0.,ser=0.,ser_sig=0.,bul=0.,dser=0.,red_d=-.03,red_dsig=.1,red_s=-.03,red_ssig=.1,grad_s=.2,grad_d=.2,ext=0.,ext_sig=0.,thick=0.,ell=0.,lop=0.,clump=0.,arms=0.,rad=0.,see=0.,colour=0.)
SC=dict(noise=.1,ped=.1,thick_sig=.2,grad_s=.5,grad_d=.3,mis=.3,sb_s=.1,sb_d=.1,sb_sig=.15,ser=.3,ser_sig=.2,bul=.2,dser=.3,red_d=.1,red_dsig=.15,red_s=.1,red_ssig=.15,ext=.04,ext_sig=.2,thick=.04,ell=.15,lop=.2,clump=.2,arms=.15,rad=.1,see=.05,colour=.1)
KEYS=list(P0)
def change(g,t):
    sp=g.kind=='spheroid'; c=lambda v,a,b:min(max(v,a),b)
    r={}
    r['surface_brightness']=c(math.exp(math.log(16)+(math.log(g.surface_brightness)-math.log(16))*math.exp(t['sb_sig'])+(t['sb_s'] if sp else t['sb_d'])),5,48)
    r['extent']=c(math.exp(.13+(math.log(g.extent)-.13)*math.exp(t['ext_sig'])+t['ext']),.7,2.2)
    r['radius']=c(g.radius*math.exp(t['rad']),3.2,14); r['seeing']=g.seeing+t['see']
    r['lopsidedness']=c(g.lopsidedness*math.exp(t['lop']),0,1)
    if sp:
        r['sersic_index']=c(2.44+(g.sersic_index-2.44)*math.exp(t['ser_sig'])+t['ser'],1,5)
        r['redness']=c(.62+(g.redness-.62)*math.exp(t['red_ssig'])+t['red_s'],0,1.3)
        r['axis_ratio']=c(1-(1-g.axis_ratio)*math.exp(t['ell']),.25,1)
    else:
        r['sersic_index']=c(g.sersic_index+t['dser'],.7,4.5); r['bulge_fraction']=c(g.bulge_fraction*math.exp(t['bul']),0,.8)
        r['redness']=c(.45+(g.redness-.45)*math.exp(t['red_dsig'])+t['red_d'],0,1.2)
        r['thickness']=c(.31+(g.thickness-.31)*math.exp(t['thick_sig'])+t['thick'],.1,.55); r['clumpiness']=c(g.clumpiness*math.exp(t['clump']),0,1)
        r['arm_strength']=c(g.arm_strength*math.exp(t['arms']),0,1.5)
    return dataclasses.replace(g,**r)
def make(i,t,seed=0):
    g=change(draw_properties(S._stream(seed,i,0)),t); im,a=D.draw_galaxy(g,S._stream(seed,i,1))
    b=io.BytesIO(); Image.fromarray(im).save(b,"JPEG",quality=75); return g,a,b.getvalue()
def setup(t):
    D.NOISE[:]=NOISE0*math.exp(t['noise']); D.PEDESTAL[:]=PED0+t['ped']; L.GRADIENT=.3*math.exp(t['grad_s']); L.YOUNG_OUTSIDE=.45*math.exp(t['grad_d']); D.MISALIGNMENT=.38*math.exp(t['mis'])
    m=(OLD0+YOUNG0)/2
    for o,b in ((L.OLD,OLD0),(L.YOUNG,YOUNG0)): o[:]=m+(b-m)*math.exp(t['colour'])
Q=[.05,.15,.3,.5,.7,.85,.95]
USE=[NAMES.index(n) for n in NAMES]
def stat(F,M):
    X=np.c_[F,np.nan_to_num(M)]; q=np.quantile(X,Q,axis=0)
    c=np.corrcoef(X[:,CC],rowvar=False)[np.triu_indices(len(CC),1)]
    return q,c
if __name__=='__main__':
    N=int(sys.argv[1]); IT=int(sys.argv[2])
    S_=None
    p,l,ids=real(); RF,RM=extra(p),measure(p)
    CC=[len(NAMES)+k for k in range(7)]+[NAMES.index(n) for n in ('area','texture','rb core','rb out')]
    rq,rc=stat(RF,RM); sd=np.std(np.c_[RF,RM],axis=0)
    wq=np.array([1.9,1.4,1.15,1.,1.15,1.4,1.9])[:,None]*sd*.08
    wf=np.ones(len(NAMES)+7); wf[len(NAMES):]=2
    def res(z):
        t={k:v*SC[k] for k,v in zip(KEYS,z)}; setup(t)
        R=[make(i,t) for i in range(N)]; P=np.stack([preprocess(j) for *_,j in R])
        q,c=stat(extra(P),measure(P))
        return np.concatenate([((q-rq)/wq*wf/5).ravel(),(c-rc)/.1,.5*(z-z0)])
    z0=np.array([0.]*len(KEYS)); z=np.array([P0[k]/SC[k] for k in KEYS])
    tt=time.time(); r0=res(z0); r1=res(z); print('cost',(r0**2).sum(),(r1**2).sum(),time.time()-tt,flush=True)
    if (r0**2).sum()<(r1**2).sum(): z=z0
    f=res(z); lam=1.
    for it in range(IT):
        J=np.stack([(res(z+.5*e)-f)/.5 for e in np.eye(len(z))],1)
        for _ in range(4):
            step=np.linalg.solve(J.T@J+lam*np.diag(np.diag(J.T@J))+.1*np.eye(len(z)),-J.T@f)
            step=np.clip(step,-1.5,1.5); f2=res(z+step)
            if (f2**2).sum()<(f**2).sum(): z,f=z+step,f2; lam=max(lam/3,.05); break
            lam*=4
        t={k:round(float(v*SC[k]),3) for k,v in zip(KEYS,z)}
        print(it,(f**2).sum().round(1),'lam',lam,t,flush=True)
        pickle.dump(t,open('draft/theta.pkl','wb'))
