printf '#!/bin/sh\nid\n' >tool.sh
chmod 6755 tool.sh
mkdir shared && cp -p tool.sh shared/left.sh && chmod 7777 shared
git add tool.sh && git commit -qm tool
echo planted
