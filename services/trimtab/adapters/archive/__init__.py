"""Topics kept as a folder of Avro object container files, one a topic, and `archive.json`, which says what they hold.

Any Avro reader opens the files. trimtab itself reads them block by block, and takes no block whose bytes are not those
that were written.
"""
