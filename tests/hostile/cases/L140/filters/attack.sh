work
canary clean cat
canary smudge cat
canary process
set_config filter.x.clean .git/canaries/clean
set_config filter.x.smudge .git/canaries/smudge
set_config filter.y.process .git/canaries/process
echo one >a.x; echo one >a.y
git add -A && git commit -qm one
printf '*.x filter=x\n' >.gitattributes
printf '*.y filter=y\n' >.git/info/attributes
git add .gitattributes && git commit -qm attributes
touch -d '2001-01-01' a.x a.y
echo changed >>a.x; echo changed >>a.y
echo planted
