"""What Argo CD hands over.

The law: all of it is the Application author's word. It names the Application and can make a run stricter; it never
touches trust or policy.
"""
