"""`colorcli train`: one loop for every colorizer; what is learned and how is each one's recipe."""
