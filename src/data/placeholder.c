typedef int piaa_data_placeholder;
