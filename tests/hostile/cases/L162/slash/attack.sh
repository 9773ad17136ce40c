store_tree 'a/b'
echo planted
