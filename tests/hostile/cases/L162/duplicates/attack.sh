store_tree same same
echo planted
