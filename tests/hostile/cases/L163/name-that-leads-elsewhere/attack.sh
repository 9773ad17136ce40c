git config --file .gitmodules submodule.../../x.path sub
git config --file .gitmodules submodule.../../x.url https://x.invalid/
git add .gitmodules
git commit -qm 'a submodule'
echo planted
