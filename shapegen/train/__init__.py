"""Training: one loop for every model, resumable to the bit."""

from shapegen.train.data import DataSplit as DataSplit
from shapegen.train.data import load_data as load_data
from shapegen.train.loop import fit as fit
from shapegen.train.streams import TrainingDiverged as TrainingDiverged
from shapegen.train.trainer import TrainResult as TrainResult
