"""Weights of correlation, estimated from storms whose causes are known and from what people said of incidents."""
