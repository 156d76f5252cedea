import pickle,re
from pathlib import Path
w=pickle.load(open('draft/weights.pkl','rb')); p=Path('gzutils/data/simulation/volunteers.py'); s=p.read_text()
for k,v in w.items():
    s,n=re.subn(r'(    "%s": )[-0-9.e]+,'%re.escape(k),lambda m:f'{m[1]}{float(f"{v:.3g}")},',s); assert n==1,k
p.write_text(s)
