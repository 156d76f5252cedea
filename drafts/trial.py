"""score with a mended training: small L2, bias at the logits of the means, warm-up and cosine, averaged weights"""
import sys,json,tempfile
from pathlib import Path
import numpy as np
sys.path.insert(0,'tests/benchmarks')
from survey_score import ratio
from gzutils.tools import backend; backend.load()
import keras
from gzutils.data import preprocessing
from gzutils.data.store import open_store, split_galaxies
from gzutils.learning import training
from gzutils.learning.predict import predict
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.recipe import Recipe
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.decision_tree import QUESTIONS
seed=0
store=open_store(preprocessing.find_or_make_store("simulated",Path('score/data'),None,10000,seed))
split=split_galaxies(len(store),seed); keras.utils.set_random_seed(seed)
model=parallel_cnn(0.25,0.9)
for l in model.layers:
    if l.name.startswith('dense_') and hasattr(l,'kernel_regularizer'): l.kernel_regularizer=keras.regularizers.L2(1e-4)
model=keras.Model.from_config(model.get_config())
mean=np.asarray(store.labels[split.train],float).mean(0).clip(1e-4,1-1e-4)
w=model.get_layer('probabilities').get_weights(); w[1]=np.log(mean/(1-mean)); model.get_layer('probabilities').set_weights(w)
E,B=24,32
steps=E*(len(split.train)//B)
lr=keras.optimizers.schedules.CosineDecay(1e-4,steps-steps//24,warmup_target=1e-3,warmup_steps=steps//24,alpha=0.01)
recipe=Recipe(epochs=E,patience=E,batch_size=B,optimizer=keras.optimizers.Adam(lr),loss=ConstrainedMeanSquaredError(),augmentation=RandomAffine(rotation=180,seed=seed))
kept=Path('trial/model'); t=training.train(model,store.examples(),split,recipe,kept,seed)
with tempfile.TemporaryDirectory() as f:
    real=open_store(preprocessing.find_or_make_store("kaggle",f,Path('../shared/kaggle_sample'))); L=np.asarray(real.labels,float); q=predict(model,real.images,np.arange(len(real)))
order=np.argsort(np.asarray(real.galaxy_ids))
out={"real":ratio(q,L),"sim":ratio(predict(model,store.images,split.test),store.labels[split.test]),"best":t.best_epoch,
 "tuned":ratio(q[::2],L[::2])["ratio"],"other":ratio(q[1::2],L[1::2])["ratio"],
 "questions":{x.short:ratio(q[:,x.slice],L[:,x.slice])["ratio"] for x in QUESTIONS}}
json.dump(out,open('trial/out.json','w'),indent=1); print(out)
