work
canary clean cat
canary smudge cat
canary process
echo one >a.x; echo one >a.y
printf '*.x filter=x\n' >.gitattributes
git add -A && git commit -qm one
touch -d '2001-01-01' a.x a.y
echo changed >>a.x; echo changed >>a.y
mkdir -p .git/info
printf '*.y filter=y\n' >.git/info/attributes
set_config filter.x.clean .git/canaries/clean
set_config filter.x.smudge .git/canaries/smudge
set_config filter.y.process .git/canaries/process
echo planted
