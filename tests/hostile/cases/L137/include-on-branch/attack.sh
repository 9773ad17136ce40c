work
canary include-on-branch
git config --file hidden.conf core.fsmonitor .git/canaries/include-on-branch
git add hidden.conf && git commit -qm hidden
set_config 'includeIf.onbranch:**.path' ../hidden.conf
echo planted
