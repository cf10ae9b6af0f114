"""Data sets: fetched, checked, decoded to arrays, and cut into a stream of megabatches. In reading order:

sets.py         each data set, one entry of plain values; the only file that other rooms may import whatever their level
download.py     one file over https, checked before it gets its name
archives.py     tar and zip archives, unpacked member by member
images.py       image files in class folders, found in a fixed order and decoded
cifar.py        the official CIFAR archives, whose pickles may hold arrays only
imagenet.py     14 classes made of ImageNet's synset folders
sources.py      where a data set comes from, opened as a training and a test subset
npy.py          arrays written block by block, with digest and channel statistics
dataset.py      fetch, load and check a data set
megabatches.py  index arithmetic of the split, the replay policies and the scoring samples
splits.py       the streams of a grid as index files
"""
