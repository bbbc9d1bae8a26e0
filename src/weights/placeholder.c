typedef int piaa_weights_placeholder;
