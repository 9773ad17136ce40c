store_tree '.git'
echo planted
