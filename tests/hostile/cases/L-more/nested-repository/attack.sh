work
git init -q nested
echo inner >nested/inner.txt
canary nested
cp .git/canaries/nested nested/.git/nested
git config --file nested/.git/config core.fsmonitor .git/nested
git -C nested -c core.fsmonitor= add inner.txt && git -C nested -c core.fsmonitor= commit -qm inner
echo more >>nested/inner.txt
echo planted
