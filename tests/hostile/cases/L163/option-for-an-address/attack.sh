canary pack
git config --file .gitmodules submodule.s.path sub
git config --file .gitmodules submodule.s.url --upload-pack=.git/canaries/pack
git add .gitmodules
git commit -qm 'a submodule'
echo planted
