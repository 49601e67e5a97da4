"""The colorization Turing test (Zhang 2016, section 3.1): can people tell colorized pictures from real photographs?"""
