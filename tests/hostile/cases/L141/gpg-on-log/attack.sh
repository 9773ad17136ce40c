canary gpg
tree=$(git write-tree)
id=$(printf 'tree %s\nparent %s\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nsigned\n' "$tree" "$(git rev-parse HEAD)" | git hash-object -t commit -w --stdin)
git update-ref refs/heads/main "$id"
set_config log.showSignature true
set_config gpg.program .git/canaries/gpg
echo planted
