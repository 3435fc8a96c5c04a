"""How often is there a false alarm on streams that stay as they are, and how late a true one?"""
