"""Passes that make a Keras model need less, one after another, before it is converted.

A pass is a function `(model, parameters, training) -> model` in a module of its own and a line in
`job.PASSES`. It runs in the TensorFlow worker. Evaluation data are unknown here: a pass sees the recipe's
training data and nothing else, so that nothing is ever tuned on what a model is judged by.
"""
