import sys,pickle; sys.path.insert(0,'draft'); sys.path.insert(0,'./tests/benchmarks')
from gen import *
from dev import *
from gzutils.data.morphometry import *
from gzutils.data.morphometry import light_above_sky
from survey_statistics import distance
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import cross_val_score
NAMES=['sky','scatter','area','mean','peak','r20','r80','annuli r<3','3-6','6-9','9-12','12-16','rb core','rb out','g-rb core','g-rb out','texture','offx','offy','chroma']
def extra(P):
    L,Sx=light_above_sky(P); out=[]
    side=64; y,x=np.mgrid[:64,:64]-31.5
    for p,l,s in zip(P.astype(np.float32),L,Sx):
        e=np.ones((64,64),bool); e[4:-4,4:-4]=False
        g=p.mean(2); sky=np.median(g[e]); sc=1.4826*np.median(abs(g[e]-sky))
        gl=l.mean(2); v=gl*s; t=v.sum()+1e-6; cx,cy=(v*x).sum()/t,(v*y).sum()/t
        r=np.hypot(x-cx,y-cy); o=np.argsort(r[s]); c=v[s][o].cumsum()/t
        rr=r[s][o]; r20,r80=(np.interp(q,c,rr) for q in (.2,.8)) if len(c) else (0,0)
        ann=[gl[(r>=a)&(r<b)].mean() for a,b in ((0,3),(3,6),(6,9),(9,12),(12,16))]
        co=(r<4); ou=s&(r>8)
        f=lambda m,b:max(float(l[:,:,b][m].mean()) if m.any() else 1.,1.)
        rb=[np.log(f(m,0)/f(m,2)) for m in (co,ou)]; gg=[np.log(f(m,1)**2/f(m,0)/f(m,2)) for m in (co,ou)]
        big=gl-np.asarray(Image.fromarray(gl.astype(np.float32)).resize((32,32),Image.BOX).resize((64,64),Image.BICUBIC))
        tex=np.sqrt((big[s]**2).mean())/max(v[s].mean(),1) if s.any() else 0
        w=l-gl[:,:,None]*(l[s].mean(0)/max(gl[s].mean(),1)) if s.any() else l
        chroma=np.sqrt((w[s]**2).mean())/max(gl[s].mean(),1)
        out.append([sky,sc,s.sum(),gl[s].mean() if s.any() else 0,gl.max()if 0 else gl[s].max() if s.any() else 0,r20,r80,*ann,*rb,*gg,tex,cx,cy,chroma])
    return np.array(out)
if __name__=='__main__':
    r=pickle.load(open('draft/gen.pkl','rb')); p,l,ids=real()
    A=extra(p); B=extra(np.stack([preprocess(j) for _,_,j in r]))
    for i,n in enumerate(NAMES): print(f"{n:12s} {np.quantile(A[:,i],[.1,.5,.9]).round(2)} {np.quantile(B[:,i],[.1,.5,.9]).round(2)} KS {distance(A[:,i],B[:,i]):.3f}")
    X=np.concatenate([np.c_[A,measure(p)],np.c_[B,np.load('draft/M.npy')]]); X=np.nan_to_num(X); y=np.repeat([0,1],[len(A),len(B)])
    m=GradientBoostingClassifier(subsample=.5,max_depth=3,random_state=0)
    print('AUC all',cross_val_score(m,X,y,cv=5,scoring='roc_auc').mean())
    m.fit(X,y); o=m.feature_importances_.argsort()[::-1][:10]; print([( (NAMES+list(MEASURES))[k],m.feature_importances_[k].round(3)) for k in o])
    Z=X[:,len(NAMES):]; m.fit(Z,y); print([(MEASURES[k],m.feature_importances_[k].round(3)) for k in m.feature_importances_.argsort()[::-1]])
    from sklearn.tree import DecisionTreeClassifier,export_text
    t=DecisionTreeClassifier(max_depth=4,min_samples_leaf=25,class_weight='balanced').fit(Z,y); print(export_text(t,feature_names=list(MEASURES),show_weights=True))
    print(np.corrcoef(A[:,2:].T)[0].round(2)); print(np.corrcoef(measure(p).T).round(2)); print(np.corrcoef(np.nan_to_num(np.load('draft/M.npy')).T).round(2))
