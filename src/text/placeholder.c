typedef int piaa_text_placeholder;
