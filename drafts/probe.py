import os,sys,pickle
sys.path.insert(0,'draft')
from gzutils.tools import backend; backend.load()
from gen import *
from dev import real
from gzutils.models import saved
from gzutils.decision_tree import COLUMNS
m=saved.load('score/model/model.keras'); P=lambda x:np.asarray(m.predict(x,verbose=0),float)
p,l,ids=real(); q=P(p)
r=[one(i,seed=7) for i in range(800)]
s=P(np.stack([preprocess(j) for *_,j in r]))
from gzutils.data.simulation import volunteers as V
t=np.stack([V.true_probabilities(a) for _,a,_ in r])
for i,n in enumerate(COLUMNS): print(f"{n:10s} real q mean {q[:,i].mean():.3f} std {q[:,i].std():.3f} p90 {np.quantile(q[:,i],.9):.3f} | sim q mean {s[:,i].mean():.3f} std {s[:,i].std():.3f} p90 {np.quantile(s[:,i],.9):.3f} | sim truth std {t[:,i].std():.3f} corr {np.corrcoef(s[:,i],t[:,i])[0,1]:.2f} | real corr {np.corrcoef(q[:120,i],l[:,i])[0,1]:.2f}")
