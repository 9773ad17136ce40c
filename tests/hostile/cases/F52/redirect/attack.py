print("followed:", curl("-L", "http://f52.wild.test/away"))
