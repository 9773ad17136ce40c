work
canary promisor
id=$(git rev-parse HEAD:work.txt)
rm -f ".git/objects/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-)"
rm work.txt
set_config core.repositoryFormatVersion 1
set_config extensions.partialClone origin
set_config protocol.ext.allow always
set_config remote.origin.promisor true
set_config remote.origin.url 'ext::.git/canaries/promisor'
echo planted
