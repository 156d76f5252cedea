import sys,pickle; sys.path.insert(0,'draft')
from gen import *
from dev import real
from more import extra,NAMES
from gzutils.data.morphometry import measure
from gzutils.data.simulation import volunteers as V
from gzutils.decision_tree import QUESTIONS
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import cross_val_predict
def features(P): return np.nan_to_num(np.c_[extra(P),measure(P)])
def proxy(R,X,A,FR,l,show=True):
    t=np.stack([V.true_probabilities(a) for a in A])
    m=ExtraTreesRegressor(300,min_samples_leaf=4,random_state=0,max_features=.5); m.fit(X,t); q=m.predict(FR[:len(l)])
    base=((l-l.mean(0))**2)
    ratio=lambda p,s=slice(None):np.sqrt(((p-l)[:,s]**2).mean()/base[:,s].mean())
    cv=cross_val_predict(m,FR[:len(l)],l,cv=10)
    print('proxy sim->real',ratio(q).round(3),'real cv',ratio(cv).round(3))
    if show:
        for qq in QUESTIONS: print(f"{qq.number:2d} {qq.short:20s} {ratio(q,qq.slice):.3f} cv {ratio(cv,qq.slice):.3f} share of err {((q-l)[:,qq.slice]**2).sum()/((q-l)**2).sum():.3f} too high",(q-l)[:,qq.slice].mean(0).round(3))
    return q,cv
if __name__=='__main__':
    r=pickle.load(open('draft/gen.pkl','rb')); p,l,ids=real(); FR=features(p); X=features(np.stack([preprocess(j) for *_,j in r]))
    pickle.dump((FR,X),open('draft/features.pkl','wb'))
    proxy(r,X,[a for _,a,_ in r],FR,l)
