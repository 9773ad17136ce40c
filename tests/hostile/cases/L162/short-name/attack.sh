store_tree 'git~1'
echo planted
