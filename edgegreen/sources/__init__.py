"""Load a trained model: Keras, SavedModel, ONNX, TFLite, OpenVINO IR."""
