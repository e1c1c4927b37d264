"""Real attacks on certified claims: changed graphs within budgets, judged under the frozen noise by fresh votes."""
