git config --file .gitmodules submodule.s.path sub
git config --file .gitmodules submodule.s.url "$PRIVATE"
git add .gitmodules
git update-index --add --cacheinfo "160000,$PRIVATE_COMMIT,sub"
git commit -qm 'a submodule'
mkdir sub
echo planted
