store_tree '.GIT'
echo planted
