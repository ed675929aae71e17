"""Parts of the demo model's trainer and its evaluation: scenes, questions, tokenizer, network."""
