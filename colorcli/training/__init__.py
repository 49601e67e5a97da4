"""`colorcli train`: one loop for every colorizer; what is learnt and how is each one's recipe."""
