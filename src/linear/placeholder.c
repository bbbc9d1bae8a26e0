typedef int piaa_linear_placeholder;
