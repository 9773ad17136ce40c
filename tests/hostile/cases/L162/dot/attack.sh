store_tree '.'
echo planted
