"""Data sets: fetched, checked, decoded to arrays, and cut into a stream of megabatches. In reading order:

sets.py         each data set, one entry of plain values; the only file that other rooms may import whatever their level
files/          what is fetched, unpacked, listed and digested; arrays written
images.py       image files decoded
cifar.py        the official CIFAR archives, whose pickles may hold arrays only
imagenet.py     14 classes made of ImageNet's synset folders
sources.py      where a data set comes from, opened as a training and a test subset
dataset.py      fetch, load and check a data set
fetching.py     the data sets of a params file, fetched, laid out and looked at again
megabatches.py  index arithmetic of the split, the replay policies and the scoring samples
splits.py       the streams of a grid as index files
"""
