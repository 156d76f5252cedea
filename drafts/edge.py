import sys; sys.path.insert(0,'draft'); sys.path.insert(0,'tests/benchmarks')
from dev import *
from gzutils.data.morphometry import measure
from survey_statistics import edge_on_shares
p,l,ids=real(); M=measure(p); print(edge_on_shares(M[:120,3],l))
o=M[:120,3].argsort()[:24]
for i in o: print(round(M[i,3],3), 'edge',round(l[i,3]/max(l[i,1],1e-9),2),'features',round(l[i,1],2),'r50',M[i,1].round(1))
