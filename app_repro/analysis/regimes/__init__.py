"""How pairs of runs that differ in their SGD noise alone are connected. In reading order:

- siblings.py: runs that differ in their SGD noise alone, in pairs with one mask;
- similarity.py: CKA and agreement of two networks' answers;
- landscape.py: the straight path between two networks, with BatchNorm measured anew at each point;
- regime.py: the path between each pair of siblings, and how alike they answer;
"""
