tree = subprocess.check_output(["git", "rev-parse", "HEAD^{tree}"]).decode().strip()
signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n"
commit(tree, b"signed four times", headers=signature * 4)
print("planted")
