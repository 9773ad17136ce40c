CR=$(printf '\r')
git config --file .gitmodules submodule.s.path "sub$CR"
git config --file .gitmodules submodule.s.url https://x.invalid/s
git add .gitmodules
git update-index --add --cacheinfo "160000,$PRIVATE_COMMIT,sub$CR"
git commit -qm 'a submodule'
mkdir "sub$CR"
echo planted
