work
canary alternate-refs
set_config core.alternateRefsCommand .git/canaries/alternate-refs
echo "$PRIVATE/.git/objects" >.git/objects/info/alternates
echo planted
