canary submodule-update
git init -q sub; git -C sub commit -q --allow-empty -m s
git -c protocol.file.allow=always submodule --quiet add ./sub sub 2>/dev/null || git add sub
printf '[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n' >.gitmodules
git add .gitmodules; git commit -qm submodule
set_config submodule.sub.url ./sub
set_config submodule.sub.active true
set_config submodule.sub.update '!../.git/canaries/submodule-update'
git -C sub commit -q --allow-empty -m newer
echo planted
