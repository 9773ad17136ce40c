work
ESC=$(printf '\033')
mkdir -p .git/hooks
for hook in pre-receive update post-receive; do
    printf '#!/bin/sh\necho "said by the hook %s]0;title%s[2J" >&2\n' "$ESC" "$ESC" >.git/hooks/$hook
    chmod 755 .git/hooks/$hook
done
echo planted
