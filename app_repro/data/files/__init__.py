"""Files of data sets: fetched, unpacked, listed and digested, and arrays written. In reading order:

download.py  one file over https, checked before it gets its name
archives.py  tar and zip archives, unpacked member by member
folders.py   class folders found, and their image files put in a fixed order
digests.py   digests of folders and archives, computed again only where a listing has changed
npy.py       arrays written block by block, with digest and channel statistics
"""
