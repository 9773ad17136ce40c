tree=$(git rev-parse 'HEAD^{tree}')
who="Agent <agent@paddock.invalid> $(date +%s) +0000"
sign='gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEz\n -----END PGP SIGNATURE-----'
printf "tree %s\nparent %s\nauthor %s\ncommitter %s\n$sign\n\nsigned\n" "$tree" "$START" "$who" "$who" |
    git hash-object -t commit -w --stdin >.git/refs/heads/main
echo planted
